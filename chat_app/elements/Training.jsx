import { useEffect, useRef } from "react"
import { useSetRecoilState } from "recoil"
import { sideViewState } from "@chainlit/react-client"

export default function Training() {
  const host = useRef(null)
  const setSide = useSetRecoilState(sideViewState)
  const open = () => setSide(window.modelwright.panelView(props.project))
  useEffect(() => window.modelwright.mount(host.current, "Training", props, { message: sendUserMessage, open }), [])
  return <div ref={host} />
}
