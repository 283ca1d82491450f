"""From this repository to a notebook on Kaggle's GPUs, and back: build, upload, push, pull (docs/kaggle.md)."""
