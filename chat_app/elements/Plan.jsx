import { useEffect, useRef } from "react"

export default function Plan() {
  const host = useRef(null)
  useEffect(() => window.modelwright.mount(host.current, "Plan", props, { message: sendUserMessage }), [])
  return <div ref={host} />
}
