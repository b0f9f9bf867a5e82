"""Tells web services how runs end: what is sent, how it is signed, and how it goes out.

What is to be told, triggers of the store note in the transaction that ends a run; here it is sent,
by whoever keeps the rows of runs.
"""
