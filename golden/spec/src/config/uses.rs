//! Which machines a Config can be built as: the tile engine alone, the whole accelerator.

use super::{Config, MAX_SIGNAL_BITS};
use crate::error::Problem;
use crate::kind::{Dataflow, Format};

impl Config {
    /// Refuses what the tile engine does not compute: formats with block scales, sums that stay in the PEs.
    ///
    /// # Errors
    /// The dataflow or the first such format, what it computes, and what to do.
    pub fn check_engine(&self) -> Result<(), Problem> {
        if self.array.dataflow == Dataflow::Os {
            let cure = "set array.dataflow = \"ws\"; the accelerator's matrix unit (mm) has both";
            return Err(Problem::new("array.dataflow", "os", "ws in the tile engine", cure));
        }
        let Some(format) = self.pe.formats.iter().find(|f| !Format::PLAIN.contains(f)) else { return Ok(()) };
        let allowed = Format::PLAIN.map(Format::name).join(", ");
        let allowed = format!("{allowed} in the tile engine, whose columns have no block scales");
        let cure = format!("leave {} out of pe.formats; the accelerator's matrix unit (mm) computes it", format.name());
        Err(Problem::new("pe.formats", format.name(), allowed, cure))
    }

    /// Refuses what the accelerator's memories cannot be built for: words of accumulators that are too wide, buffers that
    /// hold none.
    ///
    /// # Errors
    /// The field, its value, what is allowed, and what to do.
    pub fn check_accelerator(&self) -> Result<(), Problem> {
        let most = MAX_SIGNAL_BITS / self.top_acc_bits();
        if self.array.cols > most {
            let allowed = format!("1..={most} with accumulators of {} bits", self.top_acc_bits());
            let cure = "use fewer columns, or formats with narrower accumulators";
            return Err(Problem::new("array.cols", self.array.cols, allowed, cure));
        }
        let act = 2 * (self.array.rows + 1);
        if self.top_act_words() == 0 {
            return Err(Problem::new("buffer.act_bytes", self.buffer.act_bytes, format!(">= {act}"), "enlarge it"));
        }
        let acc = 2 * (self.array.cols * self.top_acc_bits()).div_ceil(8);
        if self.top_acc_words() == 0 {
            return Err(Problem::new("buffer.acc_bytes", self.buffer.acc_bytes, format!(">= {acc}"), "enlarge it"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(change: impl Fn(String) -> String) -> Config {
        let text = "[design]\nprefix = \"systole\"\n[array]\nrows = 8\ncols = 8\ndataflow = \"ws\"\npreload_rows = 1\nchunk_rows = 16\n\
            [pe]\nkind = \"mac\"\nformats = [\"w8a8\"]\nproduct_register = false\n[requant]\nlanes = 4\ndividers = 4\n\
            quotient_bits = 2\nmodes = [\"dynamic\"]\n[buffer]\nact_bytes = 4096\nacc_bytes = 4096\nweight_tiles = 4\n\
            channels = 256\n[vec]\nlanes = 4\nelements = 1024\nparams = 1024\ndividers = 4\nquotient_bits = 2\n\
            [bus]\ndata_bits = 64\n[dma]\noutstanding = 4\nburst_beats = 16\n";
        Config::from_toml(&change(text.to_string())).unwrap_or_else(|e| panic!("{e}"))
    }

    #[test]
    fn the_engine_names_the_format_that_it_does_not_compute() {
        for format in Format::ALL {
            let kind = format.pe_kind().name();
            let config = config(|text| {
                let text = text.replace("\"mac\"", &format!("{kind:?}"));
                text.replace("\"w8a8\"", &format!("{:?}", format.name()))
            });
            match config.check_engine() {
                Ok(()) => assert!(Format::PLAIN.contains(&format), "{}", format.name()),
                Err(problem) => {
                    assert!(!Format::PLAIN.contains(&format), "{problem}");
                    assert!(problem.value == format.name() && problem.cure.contains(format.name()), "{problem}");
                }
            }
            assert!(config.check_accelerator().is_ok());
        }
    }

    #[test]
    fn accumulators_are_as_wide_as_the_formats_need_and_words_have_an_end() {
        let with = |formats: &str, cols: u32| {
            config(|text| {
                let text = text.replace("[\"w8a8\"]", formats).replace("channels = 256", "channels = 4096");
                text.replace("cols = 8", &format!("cols = {cols}"))
            })
        };
        for (formats, bits) in
            [("[\"w8a8\"]", 32), ("[\"w8a8\", \"w4a8\"]", 48), ("[\"mxfp4a8\"]", 48), ("[\"w4a4\", \"nvfp4\"]", 64)]
        {
            let most = MAX_SIGNAL_BITS / bits;
            assert_eq!(with(formats, 8).top_acc_bits(), bits);
            assert!(with(formats, most.min(128)).check_accelerator().is_ok());
            if most < 128 {
                let problem = with(formats, most + 1).check_accelerator().unwrap_err();
                assert!(problem.field == "array.cols" && problem.allowed.contains(&most.to_string()), "{problem}");
            }
        }
        let mut small = with("[\"nvfp4\"]", 8);
        small.buffer.acc_bytes = 127;
        assert_eq!(small.check_accelerator().unwrap_err().field, "buffer.acc_bytes");
    }
}
