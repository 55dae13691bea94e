"""Published models, one file per paper. A model is a literal: text and numbers with their source.

Every module lists its circuits in ``CIRCUITS`` (name -> function that makes one); that is all the law tests and `bioneuro list` need.
"""
