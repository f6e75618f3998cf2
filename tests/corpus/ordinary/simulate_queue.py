import heapq
import random
import statistics


def simulate(rate, service, servers, customers, seed):
    rng = random.Random(seed)
    clock, free, waits = 0.0, [0.0] * servers, []
    heapq.heapify(free)
    for _ in range(customers):
        clock += rng.expovariate(rate)
        start = max(clock, heapq.heappop(free))
        waits.append(start - clock)
        heapq.heappush(free, start + rng.gammavariate(2, service / 2))
    return waits


lines = ["servers,mean_wait,p95_wait"]
for servers in range(3, 8):
    runs = [simulate(1.0, 2.8, servers, 5_000, seed) for seed in range(10)]
    waits = sorted(w for run in runs for w in run)
    lines.append(f"{servers},{statistics.fmean(waits):.3f},{waits[int(0.95 * len(waits))]:.3f}")
    print(lines[-1])
with open("outputs/queue.csv", "w") as f:
    f.write("\n".join(lines) + "\n")
