"""What papers print: claims beside their YAML."""
