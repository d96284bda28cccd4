"""The HTTP face of the shipped application, in this process, over real stores: who gets in, what answers look like."""
