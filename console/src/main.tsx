// Starts the console: token out of the address, theme on <html>, fonts and session, then the router; the event stream runs beside it.
import '@fontsource-variable/inter'
import '@fontsource-variable/jetbrains-mono'
import '@mantine/core/styles/default-css-variables.css'
import '@mantine/core/styles/UnstyledButton.css'
import '@mantine/core/styles/CloseButton.css'
import '@mantine/core/styles/Overlay.css'
import '@mantine/core/styles/Popover.css'
import '@mantine/core/styles/Menu.css'
import '@mantine/core/styles/Paper.css'
import '@mantine/core/styles/ModalBase.css'
import '@mantine/core/styles/Modal.css'
import './theme/tokens.css'
import './theme/console.css'
import { MantineProvider } from '@mantine/core'
import { QueryClientProvider } from '@tanstack/react-query'
import { RouterProvider } from '@tanstack/react-router'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { followEvents } from './api/events.ts'
import { applyTheme } from './api/preferences.ts'
import { queryClient, sessionQuery } from './api/queries.ts'
import { takeToken } from './api/token.ts'
import { router } from './router.tsx'
import { resolver, theme } from './theme/mantine.ts'

const WAIT_MS = 400

/** The faces and who is asking, before the first paint, so that nothing moves when they arrive; not for longer than a blink. */
async function loadFirst(): Promise<void> {
  const faces = ['400 13px "Inter Variable"', '12px "JetBrains Mono Variable"'].map((face) => document.fonts.load(face))
  await Promise.race([
    Promise.allSettled([...faces, queryClient.prefetchQuery(sessionQuery())]),
    new Promise((resolve) => setTimeout(resolve, WAIT_MS)),
  ])
}

takeToken()
applyTheme()
await loadFirst()
const target = document.getElementById('root')
if (target !== null)
  createRoot(target).render(
    <StrictMode>
      <MantineProvider theme={theme} cssVariablesResolver={resolver} defaultColorScheme="auto">
        <QueryClientProvider client={queryClient}>
          <RouterProvider router={router} />
        </QueryClientProvider>
      </MantineProvider>
    </StrictMode>,
  )
void followEvents(queryClient)
