//! What `--technology` takes: a name, or a file of either kind.

use std::path::Path;

use spec::Problem;

use super::Technology;
use crate::error::Error;
use crate::estimate::Model;

/// What a file that serves no command should be.
const KINDS: &str = "energies like those in synth/technologies, or a file of `systole fit`";

impl Technology {
    /// The energies of a technology: by name, from a file (`.toml`) of energies, or from one of `systole fit`, which has
    /// them or names them.
    ///
    /// # Errors
    /// [`Error::Invalid`] with the names that there are, or with what is wrong with the file; [`Error::Io`].
    pub fn load(name: &str) -> Result<Self, Error> {
        if !name.ends_with(".toml") {
            return Self::find(name);
        }
        let path = Path::new(name);
        let text = std::fs::read_to_string(path).map_err(Error::io("read", path))?;
        match is_model(&text) {
            true => Model::parse(&text)?.energies(),
            false => Self::parse(&text).map_err(|error| {
                let problem = format!("{name}: {error}");
                Error::Invalid(Problem::new("technology", problem, KINDS, "write one of both"))
            }),
        }
    }
}

impl Model {
    /// Reads the file of `--technology` for estimates.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Invalid`], which says so for a file of energies alone.
    pub fn load(name: &str) -> Result<Self, Error> {
        let path = Path::new(name);
        let text = std::fs::read_to_string(path).map_err(Error::io("read", path))?;
        if !is_model(&text) && Technology::parse(&text).is_ok() {
            let problem = format!("{name}, which has energies alone: simulate and report take it");
            let cure = format!("make one that serves all: systole fit --liberty FILE --technology {name} -o NAME.toml");
            return Err(Error::Invalid(Problem::new("technology", problem, "a file of `systole fit`", cure)));
        }
        Self::parse(&text)
    }

    /// The energies that go with the model: its own, or those it names.
    ///
    /// # Errors
    /// [`Error::Invalid`] if their name is unknown.
    pub fn energies(&self) -> Result<Technology, Error> {
        match &self.energies {
            Some(own) => own.clone().checked(),
            None => Technology::find(&self.technology),
        }
    }
}

/// Whether a file is one of `systole fit`: only those name the technology whose energies hold.
fn is_model(text: &str) -> bool {
    text.parse::<toml::Table>().is_ok_and(|table| table.contains_key("technology"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::estimate::{Estimator, FITTED};

    #[test]
    fn one_file_of_fit_serves_energy_and_estimates() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path.to_str().unwrap().to_string()
        };
        let named = write("named.toml", FITTED[0].1);
        assert_eq!(Technology::load(&named).unwrap(), Technology::find("nangate45").unwrap());
        let mut model = Model::parse(FITTED[0].1).unwrap();
        let mut own = Technology::find("sky130").unwrap();
        own.name = "mine".to_string();
        own.volts = 1.5;
        (model.technology, model.energies) = ("mine".to_string(), Some(own.clone()));
        let with_own = write("own.toml", &model.to_toml());
        assert_eq!(Technology::load(&with_own).unwrap(), own);
        assert_eq!(Estimator::new(&with_own).unwrap().model().energies().unwrap(), own);
        // Energies in a model are checked like those in a file of their own.
        own.volts = -1.0;
        model.energies = Some(own);
        let broken = write("broken.toml", &model.to_toml());
        for error in [Technology::load(&broken).unwrap_err(), Estimator::new(&broken).unwrap_err()] {
            assert!(error.to_string().contains("volts = -1"), "{error}");
        }
    }

    #[test]
    fn the_other_kind_of_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("alone.toml");
        std::fs::write(&path, include_str!("../../technologies/sky130.toml")).unwrap();
        let name = path.to_str().unwrap();
        assert_eq!(Technology::load(name).unwrap().name, "sky130");
        let error = Estimator::new(name).unwrap_err().to_string();
        assert!(error.contains("energies alone") && error.contains("systole fit --liberty"), "{error}");
        let error = Estimator::new("sky130").unwrap_err().to_string();
        assert!(error.contains("systole fit --liberty FILE --technology sky130 -o sky130.toml"), "{error}");
        std::fs::write(&path, "volts = 1.0").unwrap();
        let error = Technology::load(name).unwrap_err().to_string();
        assert!(error.contains(name) && error.contains("systole fit"), "{error}");
        assert!(Technology::load("none.toml").unwrap_err().to_string().contains("none.toml"));
    }
}
