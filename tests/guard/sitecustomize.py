"""Python imports this in every process that has its folder on PYTHONPATH."""

from no_network import refuse_network

refuse_network()
