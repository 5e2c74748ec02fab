import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Deployment } from '../../dev/lambda/environment.ts'
import { LambdaFunction } from '../../dev/lambda/lambda.ts'
import { runtimeClient } from '../../dev/lambda/runtime-client.ts'

/** The stage on which functions/ are tried: AWS's runtime client is made to do what Lambda does to it. */
const HANDLER = `
let runs = 0, active = 0, peak = 0
export const handler = async ({ waitMs = 0, hang, exit, fail }, context) => {
  runs++
  peak = Math.max(peak, ++active)
  await new Promise((resolve) => setTimeout(resolve, waitMs))
  active--
  if (exit) process.exit(1)
  if (fail) throw new TypeError('refused')
  if (hang) await new Promise((resolve) => setTimeout(resolve, 1e6))
  return { runs, peak, process: process.pid, request: context.awsRequestId, leftMs: context.getRemainingTimeInMillis() }
}
`
interface Said {
  readonly runs: number
  readonly peak: number
  readonly process: number
  readonly request: string
  readonly leftMs: number
}

const taskRoot = mkdtempSync(join(tmpdir(), 'alonce-lambda-'))
const functions: LambdaFunction[] = []

beforeAll(() => {
  writeFileSync(join(taskRoot, 'index.mjs'), HANDLER)
  runtimeClient()
}, 120_000)
afterAll(async () => {
  await Promise.all(functions.map((one) => one.stop()))
  rmSync(taskRoot, { recursive: true, force: true })
})

function deploy(settings: Partial<Deployment> = {}): LambdaFunction {
  const one = new LambdaFunction({ name: 'stage', taskRoot, timeoutMs: 5000, environments: 1, ...settings })
  functions.push(one)
  return one
}

async function said(one: LambdaFunction, event: object): Promise<Said> {
  const outcome = await one.invoke(event)
  if (outcome.kind !== 'returned') throw new Error(JSON.stringify(outcome))
  return outcome.value as Said
}

describe.concurrent('Lambda, as the tests play it', { timeout: 90_000 }, () => {
  test('an environment keeps its process from one invocation to the next, and knows the time that is left', async () => {
    const one = deploy()
    const [first, second] = [await said(one, {}), await said(one, {})]
    expect(second).toMatchObject({ runs: 2, process: first.process })
    expect(second.request).not.toBe(first.request)
    expect(first.leftMs).toBeGreaterThan(4000)
    expect(first.leftMs).toBeLessThanOrEqual(5000)
  })

  test('an error of the handler is an outcome, and its environment goes on', async () => {
    const one = deploy()
    const { process } = await said(one, {})
    expect(await one.invoke({ fail: true })).toEqual({ kind: 'threw', errorType: 'TypeError', errorMessage: 'refused' })
    expect(await said(one, {})).toMatchObject({ process, runs: 3 })
  })

  test('an invocation that takes too long is killed after its deadline, and the next one has a new process', async () => {
    const one = deploy({ timeoutMs: 300, killDelayMs: 100 })
    const { process } = await said(one, {})
    const from = performance.now()
    expect(await one.invoke({ hang: true })).toEqual({ kind: 'timed-out' })
    expect(performance.now() - from).toBeGreaterThanOrEqual(398)
    const next = await said(one, {})
    expect(next).toMatchObject({ runs: 1 })
    expect(next.process).not.toBe(process)
  })

  test('an asynchronous invocation is run three times at most, under one request id', async () => {
    const one = deploy()
    const outcomes = await one.invokeAsync({ exit: true }, [10, 10])
    expect(outcomes).toEqual(Array.from({ length: 3 }, () => ({ kind: 'crashed', how: 'exit 1' })))
    expect(await one.invokeAsync({}, [10, 10])).toMatchObject([{ kind: 'returned', value: { runs: 1 } }])
  })

  test('a frozen invocation goes on where it was, and the platform does not count the time', async () => {
    const one = deploy({ timeoutMs: 600, killDelayMs: 300 })
    await said(one, {})
    const running = one.invoke({ waitMs: 200 })
    await new Promise((resolve) => setTimeout(resolve, 50))
    const [environment] = one.environments
    environment?.freeze()
    const early = await Promise.race([running, new Promise((resolve) => setTimeout(resolve, 1200, 'frozen'))])
    expect(early).toBe('frozen')
    environment?.thaw()
    expect(await running).toMatchObject({ kind: 'returned', value: { runs: 2 } })
  })

  test('several environments are several processes; beyond those, invocations wait', async () => {
    const one = deploy({ environments: 2 })
    const all = await Promise.all([1, 2, 3, 4].map(() => said(one, { waitMs: 100 })))
    expect(new Set(all.map(({ process }) => process)).size).toBe(2)
    expect(all.map(({ peak }) => peak)).toEqual([1, 1, 1, 1])
  })

  test('several invocations run at once in one environment, as many as it may have', async () => {
    const one = deploy({ concurrency: 3 })
    const all = await Promise.all([1, 2, 3, 4, 5].map(() => said(one, { waitMs: 100 })))
    expect(new Set(all.map(({ process }) => process)).size).toBe(1)
    expect(Math.max(...all.map(({ peak }) => peak))).toBe(3)
  })

  test('a function that does not start says why', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'alonce-broken-'))
    writeFileSync(join(folder, 'index.mjs'), 'throw new Error("no table is set")')
    await expect(deploy({ taskRoot: folder }).invoke({})).rejects.toThrow('no table is set')
    rmSync(folder, { recursive: true, force: true })
  })
})
