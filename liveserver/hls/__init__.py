"""LL-HLS, the wide tier: playlists and parts of lessons, one packaging a lesson, served from memory."""
