from scipy import LowLevelCallable

LowLevelCallable(0xDEADBEEF)
