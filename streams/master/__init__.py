"""Master data, which no event carries: units and rates of exchange. By file here, by topic through the sink."""
