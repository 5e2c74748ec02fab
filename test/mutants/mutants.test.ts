import { describe, expect, test } from 'vitest'
import { mutate, sourceOf } from './mutant.ts'
import { mutants } from './mutants.ts'

/** `npm run test:mutants` plants each one and runs the scenarios; here only that each can be planted. */
describe('the mutants', () => {
  test('are at least 25, each with a name of its own', () => {
    expect(mutants.length).toBeGreaterThanOrEqual(25)
    expect(new Set(mutants.map((mutant) => mutant.name)).size).toBe(mutants.length)
  })

  test.each(mutants)('$name: can be planted', (mutant) => {
    expect(mutate(mutant, sourceOf(mutant))).not.toBe(sourceOf(mutant))
  })
})
