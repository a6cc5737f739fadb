"""The exercises, a module for each, named as its heading: `ch05_1_survive` holds the experiment behind exercise 5.1."""
