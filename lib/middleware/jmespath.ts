import { JMESPathError, JMESPathTypeError, search } from '@aws-lambda-powertools/jmespath'
import { PowertoolsFunctions } from '@aws-lambda-powertools/jmespath/functions'
import { AlonceError, configInvalid } from '../store/errors.ts'
import type { KeyPart } from '../store/key.ts'

type Searched = Parameters<typeof search>[1]

const MAX_EXPRESSION_CHARS = 1024

/**
 * A key function from a JMESPath expression over the first argument: the event, or a batch's record. Powertools' functions
 * `powertools_json`, `powertools_base64` and `powertools_base64_gzip` are there. Whatever is missing is a missing key, in a
 * list or an object too: `[tenant, id]` of an event without a tenant is no key that two tenants could share. So is what those
 * functions can't decode.
 *
 * @throws AlonceError `CONFIG_INVALID` at once, for what is no expression
 *
 * @example
 * makeIdempotent(charge, { store, operation: 'charge', key: jmespath('powertools_json(body).paymentId') })
 */
export function jmespath(expression: string): (event: unknown) => KeyPart {
  const customFunctions = new PowertoolsFunctions()
  const find = (event: unknown): unknown => search(expression, event as Searched, { customFunctions })
  checkExpression(expression, find)
  return (event) => {
    try {
      return (find(event) ?? undefined) as KeyPart
    } catch (error) {
      throw unusable(expression, error)
    }
  }
}

/** There is no compiler to ask, so it is tried on an event without members: whatever is wrong but that they are missing shows. */
function checkExpression(expression: unknown, find: (event: unknown) => unknown): void {
  if (typeof expression !== 'string' || expression.trim() === '' || expression.length > MAX_EXPRESSION_CHARS) {
    throw configInvalid('expression', `must be a JMESPath expression of 1 to ${MAX_EXPRESSION_CHARS} characters.`)
  }
  try {
    find({})
  } catch (error) {
    if (error instanceof JMESPathTypeError) return
    throw configInvalid('expression', `is no JMESPath expression. ${error instanceof Error ? error.message : ''}`)
  }
}

function unusable(expression: string, error: unknown): unknown {
  if (error instanceof JMESPathTypeError) {
    const message = `The event has no key: "${expression}" found a value of another type, or none, where a function needs one.`
    return new AlonceError('KEY_MISSING', message, { cause: error })
  }
  // A part that the trial at construction did not come to.
  return error instanceof JMESPathError ? configInvalid('expression', `can't be evaluated. ${error.message}`) : error
}
