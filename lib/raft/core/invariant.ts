/** A broken invariant: a bug of ours, or a disk or a peer that broke its contract. It stops the member, in production too. */
export class RaftInvariantError extends Error {
  override readonly name = 'RaftInvariantError'
}

/** `message` is a function, so that the hot path builds no text. */
export function invariant(holds: boolean, message: () => string): asserts holds {
  if (!holds) throw new RaftInvariantError(`Raft invariant broken, please report it: ${message()}`)
}
