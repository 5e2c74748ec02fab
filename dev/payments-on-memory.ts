import { socketStore } from '../demo/socket-store.ts'
import { paymentsHandler } from '../functions/payments/handler.ts'
import { httpProvider } from '../functions/payments/http-provider.ts'

/** `functions/payments/index.ts` for a machine without DynamoDB Local: the records are in `npm run dev`'s own memory. */
export const handler = paymentsHandler({
  store: await socketStore({ port: Number(process.env['DEV_STORE_PORT']) }),
  provider: httpProvider({ url: String(process.env['PAYMENT_PROVIDER_URL']) }),
})
