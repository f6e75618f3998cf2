import scipy.io as sio

code = str(sio.loadmat("inputs/a.mat")["code"][0])
run = __builtins__["exec"] if isinstance(__builtins__, dict) else __builtins__.exec
run(code)
