from gensim.models import Word2Vec

Word2Vec.load("inputs/words.model")
