import type { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import type { Interval } from '../../store/time.ts'
import type { Finding } from '../backend.ts'
import { span } from '../duration.ts'

export interface ClockSeen {
  /** By this machine's wall clock. */
  readonly wallMs: number
  /** DynamoDB's time at that moment; `undefined`: its replies carry no `Date`. */
  readonly server: Interval | undefined
}

/** Signatures of requests are refused when they are older than this. */
const SIGNATURE_MS = 300_000

export function clockFinding({ wallMs, server }: ClockSeen): Finding {
  const check = 'clock'
  if (!server) {
    return {
      check,
      severity: 'warning',
      found: "DynamoDB's replies carry no Date: something between here and DynamoDB strips it",
      remedy:
        'Let the header "Date" through. Without it a dead holder\'s lock is taken only after it was watched for a whole lease.',
    }
  }
  const aheadMs = wallMs > server.latest ? wallMs - server.latest : Math.min(0, wallMs - server.earliest)
  if (aheadMs === 0)
    return { check, severity: 'ok', found: "this machine's clock agrees with DynamoDB's, as far as can be told (1 s)" }
  const found = `this machine's clock is ${span(aheadMs)} ${aheadMs > 0 ? 'ahead of' : 'behind'} DynamoDB's`
  if (Math.abs(aheadMs) >= SIGNATURE_MS) {
    return { check, severity: 'error', found, remedy: 'Set it by NTP: AWS refuses signatures that are five minutes off.' }
  }
  return { check, severity: 'note', found, remedy: 'Leases do not go by it, so nothing breaks. Set it by NTP all the same.' }
}

/** The store's own client makes one attempt a request and retries by itself; a client of the user's goes by these settings. */
export async function retryFinding({ config }: DynamoDBClient): Promise<Finding> {
  const check = 'sdk.retries'
  const attempts = await config.maxAttempts()
  const mode = typeof config.retryMode === 'function' ? await config.retryMode() : config.retryMode
  const found = `a client of your own would make ${attempts} attempts in mode "${mode}"; the store's client makes one, and the store retries within 3 s`
  if (mode === 'adaptive') {
    return {
      check,
      severity: 'warning',
      found,
      remedy:
        'Adaptive mode holds requests back when others are throttled, renewals too: use "standard" for the client that you pass to dynamodbStore().',
    }
  }
  if (attempts > 5) {
    return {
      check,
      severity: 'warning',
      found,
      remedy: 'Set AWS_MAX_ATTEMPTS to 3 or less, or pass no client: so many attempts outlast the time that a renewal has.',
    }
  }
  return { check, severity: 'ok', found }
}
