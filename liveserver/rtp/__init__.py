"""Pure bytes: RTP, RTCP, SRTP, STUN and the fan-out. No sockets but the one handed to the fan-out."""
