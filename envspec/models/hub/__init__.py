"""Models of the Hugging Face Hub, in the cache that huggingface_hub shares with everything else on the machine."""
