import { dynamodbStore } from 'alonce/dynamodb'
import { telemetry } from '../telemetry.ts'
import { ordersHandler } from './handler.ts'

const tableName = process.env['ORDERS_TABLE']
if (!tableName) throw new Error('Set ORDERS_TABLE to the name of the table with the orders and balances.')

// The trigger needs ReportBatchItemFailures: without it SQS deletes failed messages with the others.
export const handler = ordersHandler({
  store: dynamodbStore({ tableName: process.env['ALONCE_TABLE'] }),
  tableName,
  ...telemetry,
})
