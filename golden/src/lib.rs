//! What is right: integer semantics, model files, quantization.
