"""The stages of the workflow: one module each with its ``compute``, and the frame of every job."""
