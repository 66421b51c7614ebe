// A relay as people write one with Socket.IO: whoever is in a room hears what the others say.
import { createServer } from "node:http";
import { Server } from "socket.io";

const http = createServer();
const io = new Server(http, { transports: ["websocket"], serveClient: false });
io.on("connection", (socket) => {
  let room = "";
  socket.on("join", (name, done) => { room = name; socket.join(name); done(); });
  socket.on("m", (body) => { socket.to(room).emit("m", body); });
});
http.listen(0, "127.0.0.1", () => console.log(http.address().port));
