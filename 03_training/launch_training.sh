#!/usr/bin/env bash
# Starts a FRESH training on all GPUs of this machine (earlier checkpoints are moved aside, not deleted).
#   ./launch_training.sh                      the slm preset
#   ./launch_training.sh --config FILE ...    any run; further flags go to the training script
# To go on with a training: ./resume_training.sh
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
python="$here/../.venv/bin/python"
[ -x "$python" ] || python=$(command -v python3)
# Threads are for the data loader; each GPU has a process of its own.
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}" TOKENIZERS_PARALLELISM="${TOKENIZERS_PARALLELISM:-false}"
gpus=$("$python" -c 'from chapbook.stages import gpu_count; print(gpu_count())')
if [ "$gpus" -gt 1 ]; then
  echo "Starting a fresh training on $gpus GPUs" >&2
  exec "$python" -m torch.distributed.run --nproc_per_node="$gpus" "$here/train_model_slm.py" --fresh "$@"
fi
echo "Starting a fresh training on $([ "$gpus" -eq 1 ] && echo one GPU || echo the device that train_model_slm.py finds)" >&2
# Without a GPU every core may compute.
[ "$gpus" -eq 1 ] || unset OMP_NUM_THREADS
exec "$python" "$here/train_model_slm.py" --fresh "$@"
