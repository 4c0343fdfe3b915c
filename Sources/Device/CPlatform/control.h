// ioctl(2) on capture devices, begun anew after signals; tests put something else in its place.
#pragma once

int kp_control(int fd, unsigned long request, void *argument);
