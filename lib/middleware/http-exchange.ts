import { type Begun, beginOperation, type Running, runWithin } from '../idempotency/operation.ts'
import type { Plan } from '../idempotency/options.ts'
import type { Reconcile } from '../idempotency/reconcile.ts'
import { tellerOf } from '../idempotency/telling.ts'
import type { LambdaContext } from '../runtime/invocation.ts'
import { AlonceError } from '../store/errors.ts'
import { escapePart } from '../store/key.ts'
import { type HttpSettings, planFor } from './http-options.ts'
import { badKey, type Problem, problemOf } from './http-problem.ts'
import type { Asked } from './http-request.ts'

/** What an entrance knows of its answers. */
export interface Answers<A> {
  status(answer: A): number
  /** What is stored of it, without omitted headers; `streams` when there is no end that could be waited for. */
  keep(answer: A): Promise<{ readonly kept: unknown } | 'streams'>
  /** What a `reconcile` function gives as the answer of an attempt that crashed, as it would have been kept. */
  found(result: unknown): Promise<unknown>
  /** An answer made of what was kept, and marked as replayed. */
  replay(kept: unknown): A
  problem(problem: Problem): A
}

export interface Exchange<A> {
  readonly asked: Asked
  readonly context: LambdaContext | undefined
  readonly answers: Answers<A>
  readonly run: () => A | Promise<A>
}

export const REPLAYED = 'Idempotency-Replayed'

/** One request from begin to end: the way of events and of `Request`s. What the handler throws comes out unchanged. */
export async function exchange<A>(settings: HttpSettings, { asked, context, answers, run }: Exchange<A>): Promise<A> {
  const { plan } = settings
  if (asked.key.is === 'invalid') {
    tellerOf(plan, `once/${escapePart(plan.operation)}/?`)('rejected', { code: 'KEY_INVALID' })
    return answers.problem(badKey(settings, asked.key.why))
  }
  const refuse = (error: unknown): A => {
    const problem = problemOf(error, settings, asked)
    if (problem === undefined) throw error
    return answers.problem(problem)
  }
  let begun: Begun
  try {
    begun = await beginOperation(finding(planFor(settings, asked), answers), { args: [asked.original], context })
  } catch (error) {
    return refuse(error)
  }
  switch (begun.kind) {
    case 'replay':
      return answers.replay(begun.value)
    case 'rethrow':
      return refuse(begun.error)
    case 'unprotected':
      return await runWithin(begun.handle, run)
    case 'run':
      return finish(begun.running, { answers, run, refuse, stores: settings.stores })
  }
}

function finding<A>(plan: Plan, { found }: Answers<A>): Plan {
  const { reconcile } = plan
  if (!reconcile) return plan
  const find: Reconcile = async (crashed) => {
    const decision = await reconcile(crashed)
    const isResult = typeof decision === 'object' && decision !== null && 'result' in decision
    return isResult ? { result: await found(decision.result) } : decision
  }
  return { ...plan, reconcile: find }
}

interface Finish<A> {
  readonly answers: Answers<A>
  readonly run: () => A | Promise<A>
  readonly refuse: (error: unknown) => A
  readonly stores: (statusCode: number) => boolean
}

async function finish<A>(running: Running, { answers, run, refuse, stores }: Finish<A>): Promise<A> {
  let answer: A
  let keeping: { readonly kept: unknown } | 'streams' | 'not-final'
  try {
    answer = await runWithin(running.handle, run)
    keeping = stores(answers.status(answer)) ? await answers.keep(answer) : 'not-final'
  } catch (error) {
    await running.fail(error)
    throw error
  }
  if (keeping === 'not-final') {
    await running.giveBack()
    return answer
  }
  if (keeping === 'streams') {
    // It has run: the record says so, and duplicates are refused.
    await running.complete(new Unkept())
    throw streaming()
  }
  try {
    const outcome = await running.complete(keeping.kept)
    // Another value is a newer attempt's: what every other caller gets.
    return outcome === keeping.kept ? answer : answers.replay(outcome)
  } catch (error) {
    return refuse(error)
  }
}

/** No codec can encode it. */
class Unkept {
  toJSON(): never {
    throw streaming()
  }
}

export const streaming = (): AlonceError =>
  new AlonceError(
    'CONFIG_INVALID',
    'The handler streams its response, and a stream can’t be stored and replayed. Return a whole body, or guard what the handler does with makeIdempotent instead.',
    { option: 'handler' },
  )
