import matplotlib.pyplot as plt
import numpy as np
from scipy import signal

RATE = 2_000
raw = np.fromfile("inputs/vibration.bin", dtype="<i2").astype(float)
raw -= raw.mean()

b, a = signal.butter(4, [5, 400], btype="bandpass", fs=RATE)
clean = signal.filtfilt(b, a, raw)
freq, power = signal.welch(clean, fs=RATE, nperseg=4096)
peaks, _ = signal.find_peaks(power, height=power.max() / 20, distance=20)
print("peaks at", freq[peaks].round(1), "Hz")

fig, axes = plt.subplots(2, 1, figsize=(9, 6))
axes[0].semilogy(freq, power)
axes[0].plot(freq[peaks], power[peaks], "rx")
axes[1].specgram(clean, NFFT=1024, Fs=RATE, noverlap=512)
plt.savefig("outputs/spectrum.png")
clean.astype("<f4").tofile("outputs/clean.f32")
