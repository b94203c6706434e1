"""What a forwarded packet costs here, in Pion and in Janus: same source, same viewers, same machine."""
