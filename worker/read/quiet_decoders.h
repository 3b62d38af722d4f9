// libmpg123, which libsndfile uses for MP3, writes its complaints about damaged streams (and about
// sound streams right after a seek) to standard error; libsndfile has no switch for that.
#pragma once

namespace consort {

// Links the silencer into the program; does nothing when called.
void LinkQuietDecoders();

}  // namespace consort
