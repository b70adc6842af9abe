"""All that depends on the host: device, memory, disk, versions, fetched sources."""
