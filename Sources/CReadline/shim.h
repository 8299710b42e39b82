#ifndef WSCOPE_CREADLINE_H
#define WSCOPE_CREADLINE_H

/* readline.h uses FILE without including its header. */
#include <stdio.h>
#include <readline/readline.h>
#include <readline/history.h>

#endif
