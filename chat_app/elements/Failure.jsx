import { useEffect, useRef } from "react"

export default function Failure() {
  const host = useRef(null)
  useEffect(() => window.modelwright.mount(host.current, "Failure", props, { message: sendUserMessage }), [])
  return <div ref={host} />
}
