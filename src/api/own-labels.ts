// Labels that are ours and nobody else's: what one room writes and another reads.

/** "true" on nodes that only pretend to run containers. */
export const simulatedNodeLabel = "tiphys.dev/simulated";
