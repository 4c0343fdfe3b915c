// libsodium as it is.
#pragma once
#include <sodium.h>
