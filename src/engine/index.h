// Exact search over vectors that the caller owns the meaning of; needs no model. Public face of the
// index room.
#pragma once

#include "index/flat_index.h"
