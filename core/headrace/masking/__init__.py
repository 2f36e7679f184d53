"""What must not leave: paths to it, events with *** in its place, and texts in which it is quoted. Pure."""

from headrace.masking.mask import WHOLE, Mask, Masking
from headrace.masking.paths import ANY, Path, read_path
from headrace.masking.secrets import Secrets
from headrace.masking.walk import MASK

__all__ = ["ANY", "MASK", "WHOLE", "Mask", "Masking", "Path", "Secrets", "read_path"]
