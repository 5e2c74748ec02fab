import { expect, test } from 'vitest'
import { parseArguments, WrongArguments } from '../../demo/arguments.ts'
import { ALL_FAULTS, faultName, planStorm } from '../../demo/plan.ts'

const options = { seed: 7, payments: 30, freezeMs: { low: 1000, high: 2000 } }
const namesOf = (payments: number): string[] =>
  planStorm({ ...options, payments }).payments.flatMap(({ faults }) => faults.map(faultName))

test('The same seed draws the same storm, another seed another one', () => {
  expect(planStorm(options)).toEqual(planStorm(options))
  expect(planStorm({ ...options, seed: 8 })).not.toEqual(planStorm(options))
})

test('Every request has its two sides, and every point its three blows', () => {
  expect(ALL_FAULTS.map(faultName)).toHaveLength(33)
  expect(new Set(ALL_FAULTS.map(faultName)).size).toBe(33)
})

test('Every fault comes before any comes twice', () => {
  const names = namesOf(30) // 30 payments, 10 of them hit twice
  expect(names).toHaveLength(40)
  expect(new Set(names).size).toBe(33)
})

test('A small storm hits between the charge and the completion', () => {
  const between = /(applied charge|before lock.release|applied lock.release|before once.complete)$/
  expect(namesOf(6)).toHaveLength(8)
  for (const name of namesOf(6)) expect(name).toMatch(between)
})

test('Freezes outlast the lease, and each payment comes in duplicates', () => {
  for (const { copies, faults } of planStorm(options).payments) {
    expect(copies).toBeGreaterThanOrEqual(2)
    for (const { freezeMs } of faults) expect(freezeMs).toBeGreaterThanOrEqual(options.freezeMs.low)
  }
})

test('Arguments have defaults, and a seed is drawn when none is given', () => {
  const defaults = { store: 'memory', unprotected: false, seed: 42, payments: 48, json: false }
  expect(parseArguments([], () => 42)).toEqual(defaults)
  expect(parseArguments(['--unprotected', '--seed', '7', '--payments', '3', '--json'], () => 42)).toEqual({
    store: 'memory',
    unprotected: true,
    seed: 7,
    payments: 3,
    json: true,
  })
  expect(parseArguments(['--help'], () => 42)).toBeUndefined()
})

test.each([
  ['--payments', '0'],
  ['--payments', '501'],
  ['--payments', 'many'],
  ['--seed', '1.5'],
  ['--store', 'redis'],
  ['--speed', '7'],
  ['7'],
])('Arguments %j %j are refused with a message', (...argv) => {
  expect(() =>
    parseArguments(
      argv.filter((word) => typeof word === 'string'),
      () => 42,
    ),
  ).toThrow(WrongArguments)
})
