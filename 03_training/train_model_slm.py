"""Train with the preset `slm` (configs/slm.yaml), or with any --config."""

import sys

from train import main

if __name__ == "__main__":
    sys.exit(main(preset="slm"))
