from collections import deque

import networkx as nx
import pandas as pd

transfers = pd.read_csv("inputs/transfers.csv")
graph = nx.from_pandas_edgelist(transfers, "sender", "receiver", edge_attr="amount", create_using=nx.DiGraph)
print(graph.number_of_nodes(), graph.number_of_edges())

rank = pd.Series(nx.pagerank(graph, weight="amount"), name="pagerank")
loops = [c for c in nx.strongly_connected_components(graph) if len(c) > 2]
print(f"{len(loops)} rings of accounts")


def reach(start, depth=2):
    seen, queue = {start}, deque([(start, 0)])
    while queue:
        node, level = queue.popleft()
        if level < depth:
            for follower in graph.successors(node):
                if follower not in seen:
                    seen.add(follower)
                    queue.append((follower, level + 1))
    return len(seen) - 1


nodes = rank.to_frame().assign(reach=[reach(n) for n in rank.index], in_degree=dict(graph.in_degree()).values())
nodes.sort_values("pagerank", ascending=False).to_csv("outputs/nodes.csv")
