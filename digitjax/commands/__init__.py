"""The commands of `digitjax`, a module each: argv in, exit code out."""
