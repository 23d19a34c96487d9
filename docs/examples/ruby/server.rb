require "socket"
require "greeting"

# A web server in few lines, so that the example needs no gem from elsewhere.
server = TCPServer.new("0.0.0.0", ENV.fetch("PORT").to_i)
loop do
  Thread.start(server.accept) do |client|
    while (line = client.gets) && line != "\r\n"; end
    body = "#{Greeting.hello('ruby')}\n"
    client.write("HTTP/1.1 200 OK\r\nContent-Length: #{body.bytesize}\r\nConnection: close\r\n\r\n#{body}")
    client.close
  end
end
