// Labels and annotations that are ours and nobody else's: what one room writes and another reads.

/** "true" on nodes that only pretend to run containers. */
export const simulatedNodeLabel = "tiphys.dev/simulated";

/** "true" on a node that a running `tiphys up` shall simulate, though it did not create it. */
export const simulateNodeAnnotation = "tiphys.dev/simulate";
