import { dynamodbStore } from 'alonce/dynamodb'
import { telemetry } from '../telemetry.ts'
import { paymentsHandler } from './handler.ts'
import { httpProvider } from './http-provider.ts'

const url = process.env['PAYMENT_PROVIDER_URL']
if (!url) throw new Error('Set PAYMENT_PROVIDER_URL to where the payment provider listens, https://… without a path.')

// Built once for each environment; what belongs to one invocation lives in the call.
export const handler = paymentsHandler({
  store: dynamodbStore({ tableName: process.env['ALONCE_TABLE'] }),
  provider: httpProvider({ url }),
  ...telemetry,
})
