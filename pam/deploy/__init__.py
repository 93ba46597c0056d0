"""What leaves the project: the sub-network of one combination as a file, and running such a file.

Running an ONNX file imports no torch.
"""

from pam.deploy.exported import FORMATS, About, Model, open_model

__all__ = ["FORMATS", "About", "Model", "open_model"]
