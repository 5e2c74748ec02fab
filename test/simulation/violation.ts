/** Something is not as it must be: the run ends. */
export class Violation extends Error {
  override readonly name = 'Violation'
}

export function demand(holds: boolean, problem: () => string): asserts holds {
  if (!holds) throw new Violation(problem())
}
