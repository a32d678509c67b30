"""A lane's devices: links, codecs and drivers behind the ports a lane asks for."""
