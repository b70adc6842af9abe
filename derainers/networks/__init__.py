"""The papers' networks, plain ``nn.Module``, one file each."""
